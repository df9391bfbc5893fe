import os, sys
import uvicorn
sys.path.insert(0, '/code')
